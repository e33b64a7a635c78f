"""secretly: a person's secret, handed to one program, for one moment."""
