from ticker.shm.table import TableWriter

class Directory:
    def __init__(self, table: TableWriter) -> None: ...
