"""``secretly demo``: the main job with a practice token, and nothing that leaves this computer."""
