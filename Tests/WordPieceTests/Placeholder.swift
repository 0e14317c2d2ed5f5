// replaced by its room's tests
