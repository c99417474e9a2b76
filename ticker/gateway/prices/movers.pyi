from array import array

from ticker.gateway.prices.board import Board

def ranked(board: Board) -> tuple[array[int], array[int]]: ...
