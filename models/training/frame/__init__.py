"""The frame network: a frozen vision transformer, and a linear head learned from recordings of real generators."""
