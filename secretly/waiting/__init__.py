"""One way of waiting for Twisted, for asyncio and for neither.

Everything in secretly that waits awaits a *request*: for a descriptor to become readable, for
some seconds to pass, for a function in a thread (``requests``), or for an event (``events``).
What a thread answers comes to a loop by ``answers``. Tasks, turns and shared work are made of
these (``tasks``, ``turns``, ``sharing``).

Who drives the coroutine is found out anew at each request, by what a driver does with the
request that it is yielded (``request.Request.__await__``). There are three:

- asyncio: the request is armed on its loop (``asyncio_loop``);
- Twisted: the request is armed on its reactor (``twisted_loop``);
- the command's own :func:`~secretly.waiting.driving.drive`: the request waits in place, without
  any event loop, as long as that is short. When it is not, ``drive`` hands the coroutine over to a
  small loop of its own (``poll_loop``).

``loop`` says what an adapter provides. An adapter is loaded when it is first used.
"""
