package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kassa-analytics/kassa/internal/demo"
)

// demoAnswer is what the reports say, in the words of the truth.
type demoAnswer struct {
	demo.Period
	Steps  []demo.StepCarts `json:"steps"`
	Totals demo.Carts       `json:"totals"`
	Groups []struct {
		Key    string           `json:"key"`
		Steps  []demo.StepCarts `json:"steps"`
		Totals demo.Carts       `json:"totals"`
	} `json:"groups"`
}

func TestDemoFiguresAreTheTruth(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	args := []string{"demo", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--days", "35", "--seed", "7"}
	started := time.Now()
	k := start(t, append(args, "--no-live")...)
	t.Logf("the past is in after %s", time.Since(started).Round(time.Millisecond))
	content, err := os.ReadFile(filepath.Join(dir, demo.TruthFile))
	if err != nil {
		t.Fatal(err)
	}
	var truth demo.Truth
	if err := json.Unmarshal(content, &truth); err != nil {
		t.Fatal(err)
	}
	k.compare(truth)
	k.stop()

	// A second start finds the past and lets visitors come; they change nothing of it.
	k = start(t, append(args, "--rate", "6000")...)
	if regexp.MustCompile(`events of \d+ days are in`).MatchString(k.log.String()) {
		t.Errorf("the past was made up again\n%s", k.log)
	}
	accepted := regexp.MustCompile(`kassa_ingest_events_total\{outcome="accepted",shop="demo"\} (\d{2,})`)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, body := k.request("GET", k.private+"/metrics", "", ""); accepted.MatchString(body) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no live visitors\n%s", k.log)
		}
	}
	k.compare(truth)
	k.stop()
	if status, _, stderr := command(t, append(args, "--seed", "8")...); status != 1 || !regexp.MustCompile(`holds a demo of seed 7 .* --reset`).MatchString(stderr) {
		t.Errorf("another seed on the same directory: status %d, %s", status, stderr)
	}
}

var ownerToken = regexp.MustCompile(`#shop=demo&token=(\S+)`)

// compare asks for the reports of each period and compares them with the truth.
func (k *kassa) compare(truth demo.Truth) {
	k.t.Helper()
	match := ownerToken.FindStringSubmatch(k.log.String())
	if match == nil {
		k.t.Fatalf("no owner's token in\n%s", k.log)
	}
	for _, want := range truth.Periods {
		query := "?from=" + want.From + "&to=" + want.To
		var customers, checkout, byChannel, byDevice demoAnswer
		k.get(match[1], "/api/v1/shops/demo/customers"+query, &customers)
		k.get(match[1], "/api/v1/shops/demo/checkout"+query, &checkout)
		k.get(match[1], "/api/v1/shops/demo/checkout"+query+"&by=channel", &byChannel)
		k.get(match[1], "/api/v1/shops/demo/checkout"+query+"&by=device", &byDevice)
		got := customers.Period
		got.Checkout = checkout.Totals
		got.Checkout.Steps = checkout.Steps
		got.ByChannel, got.ByDevice = byChannel.groups(), byDevice.groups()
		got.From, got.To, got.Consents, got.Refusals = want.From, want.To, want.Consents, want.Refusals
		if !reflect.DeepEqual(got, want) {
			k.t.Errorf("%s to %s\n got %+v\nwant %+v", want.From, want.To, got, want)
		}
		var coverage struct {
			Decisions []struct {
				Purpose  string `json:"purpose"`
				Decision string `json:"decision"`
				Count    int    `json:"count"`
			} `json:"decisions"`
		}
		k.get(match[1], "/api/v1/shops/demo/coverage"+query, &coverage)
		counts := map[string]int{}
		for _, d := range coverage.Decisions {
			counts[d.Purpose+" "+d.Decision] = d.Count
		}
		if counts["analytics granted"] != want.Consents || counts["analytics refused"] != want.Refusals {
			k.t.Errorf("%s to %s: decisions %v, want %d granted, %d refused", want.From, want.To, counts, want.Consents, want.Refusals)
		}
	}
}

func (a demoAnswer) groups() map[string]demo.Carts {
	groups := map[string]demo.Carts{}
	for _, g := range a.Groups {
		c := g.Totals
		c.Steps = g.Steps
		groups[g.Key] = c
	}
	return groups
}
