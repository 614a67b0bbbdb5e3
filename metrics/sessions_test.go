package metrics

import "testing"

func TestSeriesOfSessions(t *testing.T) {
	m := New(Build{})
	m.WatchSessions(func() Sessions {
		return Sessions{Open: 3, Seconds: 12.5, Characters: 9, MessagesIn: 7, MessagesOut: 8}
	})
	_, body := scrape(t, m, "text/plain")
	holds(t, body, lines(
		"neuronward_sessions 3", "neuronward_session_sound_seconds_total 12.5",
		"neuronward_session_characters_total 9", `neuronward_session_messages_total{direction="in"} 7`,
		`neuronward_session_messages_total{direction="out"} 8`,
	)...)
}
