"""The whole system on one machine: which processes it is made of, how they are started, watched and stopped."""
