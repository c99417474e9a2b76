"""A small client of a running server, for the commands that look at one from outside.

server.py   where it is, and what it answers over REST
stream.py   prices as they come over /stream
"""
