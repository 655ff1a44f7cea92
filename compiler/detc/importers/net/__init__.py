"""`.net` files of lava-dl: chains of sigma-delta or spiking layers in whole numbers."""
