package minutes

import (
	"maps"
	"sync"
	"time"
)

// wouldRefuse counts the calls of a day that would have been refused, by model and by client and then by reason.
type wouldRefuse struct {
	mu              sync.Mutex
	day             int64
	models, clients Reasons
}

// Reasons are counts of calls by name and then by reason.
type Reasons map[string]map[string]int64

func (r Reasons) add(name, reason string) {
	if r[name] == nil {
		r[name] = map[string]int64{}
	}
	r[name][reason]++
}

func (r Reasons) clone() Reasons {
	all := maps.Clone(r)
	for name, counts := range all {
		all[name] = maps.Clone(counts)
	}
	return all
}

const secondsADay = 24 * 60 * 60

// WouldRefuse counts a call at now that would have been refused. Model and client must come from bounded sets.
func (m *Minutes) WouldRefuse(now time.Time, model, client, reason string) {
	w := &m.wouldRefuse
	w.mu.Lock()
	defer w.mu.Unlock()
	if day := now.Unix() / secondsADay; w.models == nil || day != w.day {
		w.day, w.models, w.clients = day, Reasons{}, Reasons{}
	}
	w.models.add(model, reason)
	w.clients.add(client, reason)
}

// WouldRefuseToday returns what WouldRefuse has counted on the UTC day of now.
func (m *Minutes) WouldRefuseToday(now time.Time) (models, clients Reasons) {
	w := &m.wouldRefuse
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Unix()/secondsADay != w.day {
		return nil, nil
	}
	return w.models.clone(), w.clients.clone()
}
