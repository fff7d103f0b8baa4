"""Faults with figures: nothing acknowledged is lost, nothing is doubled."""

MODULES: tuple[str, ...] = (
    "power_loss",
    "disk_full",
    "failed_fsync",
    "long_readers",
    "clock",
    "failover",
    "kill_app",
    "kill_postgres",
    "cut_commit",
    "restart",
    "histories",
    "door",
)
