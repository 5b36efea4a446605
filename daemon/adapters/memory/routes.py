"""A routing table in memory."""

from daemon.domain.soft_routing import RoutingTable


class MemoryRoutes:
    """Both ends of a `RouteTable`."""

    def __init__(self) -> None:
        self.table = RoutingTable()

    def publish(self, table: RoutingTable) -> None:
        self.table = table

    def read(self) -> RoutingTable:
        return self.table
