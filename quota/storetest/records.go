package storetest

import (
	"fmt"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func records(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	report := func(who *replica, of quota.Day, some ...quota.Record) {
		t.Helper()
		r := who.report(request(0, 0, 0, 0))
		r.Day, r.Records = of, some
		send(t, s, r)
	}
	report(&a, day,
		quota.Record{
			Model: "m", Client: "x", Calls: 1, Reported: 1, Silent: 1, Table: 4,
			Calibration: quota.Calibration{Peak: 1500, Paid: 1500, Prompt: 1100, Undocumented: 9},
		},
		quota.Record{Model: "m", Client: "w", Calls: 1, Reported: 1})
	report(&a, day,
		quota.Record{
			Model: "m", Client: "x", Calls: 2, Reported: 5, Priced: 6, Estimated: 7, Silent: 2, Table: 5,
			Calibration: quota.Calibration{Peak: 3000, Paid: 3000, Prompt: 1200, Undocumented: 10},
		})
	report(&b, day,
		quota.Record{
			Model: "m", Client: "x", Calls: 10, Reported: 10, Silent: 3, Table: 70,
			Calibration: quota.Calibration{Peak: 2000, Paid: 1000, Output: 1300, ByDefault: 300, UndocumentedCalls: 2},
		},
		quota.Record{Model: "a", Client: "x", Calls: 1, Priced: 3})
	report(&b, day+1, quota.Record{Model: "b", Calls: 1})
	all := []quota.Record{
		{Day: day, Model: "a", Client: "x", Calls: 1, Priced: 3},
		{Day: day, Model: "m", Client: "w", Calls: 1, Reported: 1},
		{
			Day: day, Model: "m", Client: "x", Calls: 12, Reported: 15, Priced: 6, Estimated: 7, Silent: 5, Table: 75,
			Calibration: quota.Calibration{
				Peak: 3000, Paid: 3000, Prompt: 1200, Output: 1300, ByDefault: 300, Undocumented: 10,
				UndocumentedCalls: 2,
			},
		},
		{Day: day + 1, Model: "b", Calls: 1},
	}
	for _, c := range []struct {
		from, to quota.Day
		want     []quota.Record
	}{
		{day, day + 1, all},
		{day, day, all[:3]},
		{day + 1, day + 9, all[3:]},
		{day - 3, day - 1, nil},
		{day + 1, day, nil},
	} {
		got, err := s.History(t.Context(), c.from, c.to)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v to %v: got %+v, %v, want %+v", c.from, c.to, got, err, c.want)
		}
	}
}
