"""A hostile world: random calls, broken devices, owners at the keypad, time and restarts, and what must still hold."""
