package funnel

import (
	"slices"
	"time"
)

// sessionGap is the silence after which a visitor's next event begins another session.
const sessionGap = 30 * time.Minute

// session is a stretch of one visitor's activity. It is called by its earliest event: that one's campaign, channel and landing page.
type session struct {
	events []Event // in order, at least one
}

func (s *session) first() Event { return s.events[0] }

// origin is what brings a visitor: a campaign or an external referrer.
type origin struct {
	source, medium, campaign, referrer string
}

// origin of an event; nothing where it was a visit without either.
func (e Event) origin() origin {
	none := (e.Source == "" || e.Source == NoSource) && (e.Medium == "" || e.Medium == NoMedium)
	if none && e.Campaign == "" && e.Referrer == "" {
		return origin{}
	}
	return origin{e.Source, e.Medium, e.Campaign, e.Referrer}
}

// findSessions sorts a shop's events into sessions, and tells for an event's id which session it is in (nil: none).
//
// An event that carries a session id belongs to that session of its visitor, whatever the gap. The others of a visitor form sessions
// among themselves: a silence of more than 30 minutes, or an origin that is not the one the session already has, starts another. An
// event with neither session nor page is in none.
func findSessions(events []Event) (sessions []*session, of func(Event) *session) {
	type visit struct{ visitor, session string }
	given := map[visit]*session{}
	current := map[string]*session{} // by visitor: the session that an event without an id may continue
	origins := map[*session]origin{} // the latest origin seen in it
	byID := map[string]*session{}
	open := func(slot **session) {
		if *slot == nil {
			*slot = &session{}
			sessions = append(sessions, *slot)
		}
	}
	for _, e := range events {
		var s *session
		switch {
		case e.Session != "":
			s = given[visit{e.Visitor, e.Session}]
			open(&s)
			given[visit{e.Visitor, e.Session}] = s
		case e.Page != "":
			s = current[e.Visitor]
			o := e.origin()
			if s != nil && (e.Time.Sub(s.events[len(s.events)-1].Time) > sessionGap || o != (origin{}) && o != origins[s]) {
				s = nil
			}
			open(&s)
			current[e.Visitor] = s
			if o != (origin{}) {
				origins[s] = o
			}
		default:
			continue
		}
		s.events = append(s.events, e)
		byID[e.ID] = s
	}
	slices.SortStableFunc(sessions, func(a, b *session) int { return before(a.first(), b.first()) })
	return sessions, func(e Event) *session { return byID[e.ID] }
}
