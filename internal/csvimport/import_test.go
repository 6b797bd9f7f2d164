package csvimport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kassa-analytics/kassa/collector"
)

// store keeps what it is sent, each id once, and breaks down after so many batches.
type store struct {
	out    map[uint64]Outcome
	ids    map[string]bool
	breaks int
	sent   int
}

func (s *store) Import(_ context.Context, b Batch) (collector.Result, error) {
	if s.breaks--; s.breaks == 0 {
		return collector.Result{}, errors.New("the line is cut")
	}
	var r collector.Result
	for i, e := range b.Events {
		s.sent++
		switch {
		case e.Value == "x":
			r.Rejected = append(r.Rejected, collector.Rejection{ID: e.ID, Reason: collector.ReasonInvalidValue, Pointer: fmt.Sprintf("/events/%d/value", i), Detail: "is not a decimal number"})
		case e.Value == "-1":
			r.Rejected = append(r.Rejected, collector.Rejection{ID: e.ID, Reason: collector.ReasonOlderThanRetention, Pointer: fmt.Sprintf("/events/%d/time", i)})
		case s.ids[e.ID] && s.sent%2 == 0: // seen a moment ago; the others turn out to be stored later
			r.Duplicates++
		default:
			r.Accepted++
			out := s.out[b.Tag]
			if s.ids[e.ID] {
				out.LateDuplicate++
			} else {
				out.Stored++
			}
			s.out[b.Tag] = out
			s.ids[e.ID] = true
		}
	}
	return r, nil
}

func (s *store) Outcome(_ context.Context, tag uint64) (Outcome, error) {
	out := s.out[tag]
	out.Complete = true
	return out, nil
}

func TestImportResumesAndRepeatsWithoutChange(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "e.csv")
	var content strings.Builder
	content.WriteString("at,who,kind,value,device\n")
	for i := range 5000 {
		kind, value := "a", ""
		switch {
		case i == 4:
			value = "x"
		case i == 6:
			value = "-1"
		case i%10 == 9:
			kind = "b"
		}
		fmt.Fprintf(&content, "2026-01-01 10:00,v%d,%s,%s,%s\n", i%7, kind, value, []string{"mobile", "desktop", ""}[i%3])
	}
	content.WriteString("when?,v,a,,\n")
	if err := os.WriteFile(name, []byte(content.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := ParseMapping("m.yaml", []byte("legal_basis: x\ntime: at\nvisitor: who\nvalue: value\ndevice: device\nevents: [{name: page_view, when: 'kind == \"a\"'}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := &store{ids: map[string]bool{}, out: map[uint64]Outcome{}, breaks: 8}
	im := &Importer{Shop: "demo", Mapping: m, Sink: s, Positions: Positions{Dir: filepath.Join(dir, "imports")}}
	var cut Summary
	if err := im.File(t.Context(), name, &cut); err == nil || !strings.Contains(err.Error(), "the line is cut (2000 rows of") {
		t.Fatalf("got %v", err)
	}
	sent := s.sent
	var whole Summary
	if err := im.File(t.Context(), name, &whole); err != nil {
		t.Fatal(err)
	}
	want := "read 5001, stored 4498, duplicates 0, skipped 500, older than retention 1, rejected 2\n" +
		"  rejected " + name + ":6: invalid-value: value is not a decimal number\n  rejected " + name + ":5002: time: \"when?\" is not a time"
	var got strings.Builder
	whole.Write(&got)
	if !strings.HasPrefix(got.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if s.sent-sent > 3000 {
		t.Errorf("%d sent in the second run: it did not go on where the first stood", s.sent-sent)
	}
	var second Summary
	if err := im.File(t.Context(), name, &second); err != nil {
		t.Fatal(err)
	}
	if second.Stored != 0 || second.Duplicates != 4498 || second.Read != 5001 {
		t.Errorf("imported again: %+v", second)
	}
	if left, _ := os.ReadDir(im.Positions.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
