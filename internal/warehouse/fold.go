package warehouse

import "context"

func (w *Warehouse) fold(ctx context.Context, token string) error { return nil }
