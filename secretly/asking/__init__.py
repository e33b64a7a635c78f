"""Ask the user: with a pinentry, a dialog, the terminal or a notebook.

A pinentry is one of the small programs with which GnuPG asks for a password. ``choosing`` finds
the way to ask, ``prompting`` asks. ``pinentry`` drives a pinentry process, whose protocol, Assuan,
``assuan`` reads and writes as bytes; ``terminal`` and ``dialogs`` are the other ways. ``finding``
finds the terminal, ``pastes`` notices pasted lines. ``measured`` has what is known of pinentries.
The texts are in ``wording``.
"""
