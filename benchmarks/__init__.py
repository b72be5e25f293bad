"""Speed as ratios: our work and a named baseline, in turn, in one run (`make bench`)."""
