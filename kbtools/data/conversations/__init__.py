"""Conversations: their messages, and what in an assistant's text is reasoning and what is the answer."""
