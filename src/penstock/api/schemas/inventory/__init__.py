"""The shapes of inventories. Money is whole minor units with its currency; ids are CardTrader's."""
