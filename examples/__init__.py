"""A coupled run to copy: an ensemble of ocean simulations that learns its closure through the store while it runs.

`ocean_solver`       the simulation
`subgrid_forcing`    what is learned, and how the answer is applied
`closure_network`    the network
`ocean_member`       the program of one member
`closure_training`   online learning, without a store
`training_consumer`  the same, fed from the store and publishing to it
`training_record`    what the training did and when
`demo_figure`        the picture
`demo`               the driver: `python -m examples.demo`
"""
