"""Signing in to a mail server with Microsoft, Google or another OAuth 2.0 provider (RFC 6749, RFC 8252).

``endpoints`` knows the providers, ``flow`` and ``device`` are the two ways to sign in, ``tokens`` keeps what they
bring.
Nothing here imports Authlib or httpx before a request is made: a profile with a password never pays for them.
"""
