"""A routing table in memory; set `failing` to make it refuse."""

from daemon.adapters.memory import routes
from daemon.domain.soft_routing import RoutingTable


class MemoryRoutes(routes.MemoryRoutes):
    def __init__(self) -> None:
        super().__init__()
        self.failing = False

    def publish(self, table: RoutingTable) -> None:
        if self.failing:
            raise OSError("the table was told to fail")
        super().publish(table)
