"""The settings of a Django site, with secrets."""

import datetime

import secretly

for_today = datetime.timedelta(hours=8)

SECRET_KEY = secretly.secret_sync(
    "mysite/secret-key", description="to sign sessions", remember=for_today
)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "mysite",
        "USER": "mysite",
        "PASSWORD": secretly.secret_sync("mysite/database", remember=for_today),
    }
}
