// Package e2e tests the real kassa program from outside: its processes, ports, files, signals, and a real Prometheus beside it.
package e2e
