package minutes

import (
	"testing"
	"time"
)

func TestSamplesOfADay(t *testing.T) {
	m := New()
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	day := midnight.Unix() / 86400
	// Three days, a sample each 30 s; the account's day begins half a minute after ours.
	at := midnight.Add(-48 * time.Hour)
	for ; at.Before(midnight.Add(24 * time.Hour)); at = at.Add(30 * time.Second) {
		of := at.Add(-30 * time.Second)
		m.Sample(Sample{At: at, Day: of.Unix() / 86400, Used: of.Sub(of.Truncate(24 * time.Hour)).Seconds()})
	}
	last := at.Add(-30 * time.Second)
	today, yesterday := m.Samples(day, last), m.Samples(day-1, last)
	if len(today) != 1440 || len(yesterday) != 60 {
		t.Fatalf("got %d samples of today and %d of yesterday, want 1440 and 60: 25 hours", len(today), len(yesterday))
	}
	if got, want := yesterday[0].At, midnight.Add(-time.Hour+30*time.Second); !got.Equal(want) {
		t.Errorf("yesterday begins at %s, want %s", got, want)
	}
	if got, want := yesterday[59].At, midnight.Add(-30*time.Second); !got.Equal(want) {
		t.Errorf("yesterday ends at %s, want %s", got, want)
	}
	for i := 1; i < len(today); i++ {
		if d := today[i].At.Sub(today[i-1].At); d != time.Minute {
			t.Fatalf("got a sample %s after the one before, want a minute", d)
		}
		if today[i].Used <= today[i-1].Used {
			t.Fatalf("got %g neurons after %g, want more", today[i].Used, today[i-1].Used)
		}
	}
	if got := m.Samples(day, last.Add(26*time.Hour)); len(got) != 0 {
		t.Errorf("got %d samples after 26 hours without any, want none", len(got))
	}
}
