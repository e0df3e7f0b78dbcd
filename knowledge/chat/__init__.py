"""Asking what was learned: sessions whose answers stream, are cited, and can be replayed from any number.

`knowledge.chat.answer.answer(question)` is the front door for those who want an answer without a session.
"""
