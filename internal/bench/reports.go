package main

import "context"

func intoWarehouse(ctx context.Context, b *bench) error { return nil }
func reports(ctx context.Context, b *bench) error       { return nil }
