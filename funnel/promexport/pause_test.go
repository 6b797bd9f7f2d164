package promexport

import (
	"testing"
	"time"
)

func TestPauseKeepsThePromiseAndThePeace(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: 5 * time.Second, 200 * time.Millisecond: 5 * time.Second, 1500 * time.Millisecond: 6 * time.Second, // four times as long
		2500 * time.Millisecond: 7 * time.Second, 3 * time.Second: 6 * time.Second, // seen within 12 s
		10 * time.Second: 10 * time.Second, // cannot be kept; not more than half of the time
	} {
		if got := pause(5*time.Second, took); got != want {
			t.Errorf("after %v: %v, want %v", took, got, want)
		}
	}
}
