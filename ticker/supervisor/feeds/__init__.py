"""What feeds need beside their workers: their hours, their last prices, their simulated exchanges,
and what a new configuration changes about them."""
