"""Start a Flask application with secrets."""

import datetime

from flask import Flask, session

import secretly


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = secretly.secret_sync(
        "greeter/session-key",
        description="to sign sessions",
        remember=datetime.timedelta(hours=8),
    )

    @app.get("/")
    def greet() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return f"visit {session['visits']}"

    return app
