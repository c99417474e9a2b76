"""A small client of a running server, for the commands `get`, `symbols`, `watch` and `top`.

server.py   the server's URL, and its REST answers
stream.py   the prices of /stream
"""
