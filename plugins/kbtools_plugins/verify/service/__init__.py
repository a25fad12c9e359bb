"""`kbtools serve-verify`: verdicts over HTTP, for trainers whose rollouts are made elsewhere.

The references never leave. `desk` is the bounded queue in front of the workers; `app` is what the
network sees. The client is `kbtools.verify_client`.
"""
