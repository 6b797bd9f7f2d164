//go:build race

package chdb_test

const raceEnabled = true
