"""A routing table in memory; set `failing` to make it refuse."""

from daemon.domain.soft_routing import RoutingTable


class MemoryRoutes:
    def __init__(self) -> None:
        self.table = RoutingTable()
        self.failing = False

    def publish(self, table: RoutingTable) -> None:
        if self.failing:
            raise OSError("the table was told to fail")
        self.table = table

    def read(self) -> RoutingTable:
        return self.table
