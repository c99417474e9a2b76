"""The commands `get`, `symbols`, `watch` and `top` as users of a running server.

package/    ticker-client, the Python client: a link to clients/python, its files in a wheel
server.py   the server's URL, and what goes wrong there, in the words of the command line
vitals.py   the figures of `ticker top`
"""
