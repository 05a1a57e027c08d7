"""The first-run assistant: six steps from an e-mail address to a test mail that arrives.

``frame`` holds them together, ``rail`` says where one is, ``memory`` remembers it, ``step`` is what every step is; then
one module a step: ``account`` (with ``checking``), ``recipients``, ``origins`` (with ``logs`` and ``receiver``),
``choices``, ``proof``, ``ending``. GUI thread only. Each step saves what it asks for as one change; the window around
it stays usable. The window loads it with the first look at it.
"""
