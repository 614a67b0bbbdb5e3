package quota

import (
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota/schedule"
)

// maxTallies bounds what is counted separately by model and client; the rest is Other.
const maxTallies = 1000

// Other stands for the models and clients beyond those that are counted separately.
const Other = "other"

// A tally is what one client has spent with one model, today, in this process.
type tally struct {
	Record
	unpublished bool    // something changed since it was last in a report
	elsewhere   Neurons // of what other replicas booked: taken back here, so that Estimated is less
	inFlight    int
	usual       *schedule.Usual // of its model, in all its calls
	ended       time.Time       // when the last call was
}

func (t *tally) book(n Neurons, b Basis, calls int64) {
	t.Calls += calls
	switch b {
	case Reported:
		t.Reported += n
	case Priced:
		t.Priced += n
	default:
		t.Estimated += n
	}
	t.unpublished = true
}

func (t *tally) calibrate(c Calibration) {
	if c = c.Max(t.Calibration); c != t.Calibration {
		t.Calibration, t.unpublished = c, true
	}
}

// recordKey tells the records of a day apart.
type recordKey struct{ model, client string }

// tallies are those of today.
type tallies struct {
	all    map[recordKey]*tally
	usuals schedule.Usuals // of all days
}

func newTallies() tallies {
	return tallies{all: map[recordKey]*tally{}, usuals: schedule.Usuals{}}
}

// of returns the tally of a model and client, made if need be.
func (ts tallies) of(model, client string) *tally {
	k := recordKey{model, client}
	if t := ts.all[k]; t != nil {
		return t
	}
	if len(ts.all) >= maxTallies {
		k = recordKey{Other, Other}
		if t := ts.all[k]; t != nil {
			return t
		}
	}
	t := &tally{Record: Record{Model: k.model, Client: k.client}, usual: ts.usuals.Of(k.model)}
	ts.all[k] = t
	return t
}

// publish returns what has changed since the last report. The tallies are to be marked again if the report fails.
func (ts tallies) publish() (records []Record, published []*tally) {
	for _, t := range ts.all {
		if t.unpublished {
			t.unpublished = false
			records = append(records, t.Record)
			published = append(published, t)
		}
	}
	return records, published
}

// forget takes up that the store has lost what other replicas booked.
func (ts tallies) forget() {
	for _, t := range ts.all {
		t.Estimated, t.elsewhere = t.Estimated+t.elsewhere, 0
	}
}

// publishAgain puts all that is not empty into the next report.
func (ts tallies) publishAgain() {
	for _, t := range ts.all {
		t.unpublished = t.unpublished || t.Calls != 0 || t.Neurons() != 0
	}
}

// newDay returns the records of the day that has ended and begins anew.
func (ts tallies) newDay() (ended []Record) {
	for k, t := range ts.all {
		empty := Record{Model: k.model, Client: k.client}
		if t.Record != empty {
			ended = append(ended, t.Record)
		} else if t.inFlight == 0 {
			delete(ts.all, k)
			continue
		}
		t.Record, t.unpublished, t.elsewhere = empty, false, 0
	}
	return ended
}

// records returns what was spent today, sorted by model and client.
func (ts tallies) records(today Day) []Record {
	all := make([]Record, 0, len(ts.all))
	for _, t := range ts.all {
		r := t.Record
		r.Day = today
		if r.Calls != 0 || r.Neurons() != 0 {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, CompareRecords)
	return all
}
