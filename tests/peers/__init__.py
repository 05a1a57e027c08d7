"""The other ends that tests talk to, as fixtures: loopback network, mail server, desktop, keyring."""
