"""STM32 microcontrollers: int8 arithmetic, its simulator, and the C code that computes the same."""
