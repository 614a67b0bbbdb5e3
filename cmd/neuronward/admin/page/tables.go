package page

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/words"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/recent"
)

// A table is that of models or of clients.
type table struct {
	ID, Title, Column string
	Budgets           bool // some clients have one of their own
	Fits              bool // of some models it is known how many more calls fit
	Rows              []row
}

// A row is what a model or client spent today, over all replicas, and its last hour in this process.
type row struct {
	status.Client
	FitsNow *int64 // of a model; nil: not known
	Hour    minutes.LastHour
	Share   float64 // of the largest spender, in percent
}

func modelTable(all []status.Model, hours map[string]minutes.LastHour) table {
	t := table{ID: "models", Title: "By model", Column: "model"}
	for _, m := range all {
		t.Fits = t.Fits || m.FitsNow != nil
		t.Rows = append(t.Rows, row{
			Client:  status.Client{Spending: m.Spending, WouldRefuse: m.WouldRefuse},
			FitsNow: m.FitsNow, Hour: hours[m.Name],
		})
	}
	t.complete(hours)
	return t
}

func clientTable(all []status.Client, hours map[string]minutes.LastHour) table {
	t := table{ID: "clients", Title: "By client", Column: "client"}
	for _, c := range all {
		t.Budgets = t.Budgets || c.Limit != nil
		t.Rows = append(t.Rows, row{Client: c, Hour: hours[c.Name]})
	}
	t.complete(hours)
	return t
}

// complete adds who called in the last hour and spent nothing today, the busiest first, and the shares.
func (t *table) complete(hours map[string]minutes.LastHour) {
	spenders := len(t.Rows)
	for name, hour := range hours {
		if !slices.ContainsFunc(t.Rows[:spenders], func(r row) bool { return r.Name == name }) {
			t.Rows = append(t.Rows, row{Client: status.Client{Spending: status.Spending{Name: name}}, Hour: hour})
		}
	}
	slices.SortFunc(t.Rows[spenders:], func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Hour.Calls, a.Hour.Calls), cmp.Compare(a.Name, b.Name))
	})
	for i := range t.Rows[:spenders] {
		if largest := t.Rows[0].Neurons; largest > 0 {
			t.Rows[i].Share = percent(t.Rows[i].Neurons.Float(), largest.Float())
		}
	}
}

// Label is the name that is shown.
func (r *row) Label() string { return cmp.Or(r.Name, "(none)") }

// Budget shows how much of its own budget a client has spent.
func (r *row) Budget() string {
	if r.Limit == nil {
		return "–"
	}
	part := percent(r.Neurons.Float(), r.Limit.Float())
	return strconv.FormatFloat(part, 'f', 0, 64) + " % of " + amount(*r.Limit)
}

// Fits shows about how many more calls of a model fit now.
func (r *row) Fits() string {
	if r.FitsNow == nil {
		return "–"
	}
	return "about " + words.Grouped(*r.FitsNow)
}

// Link leads to the last failures of a model or client.
func (r *row) Link() string { return "/?q=" + url.QueryEscape(r.Name) + "#last" }

// matching returns the failures in which each word of filter occurs. The script filters in the same way.
func matching(all []recent.Failure, filter string) []recent.Failure {
	words := strings.Fields(strings.ToLower(filter))
	return slices.DeleteFunc(slices.Clone(all), func(f recent.Failure) bool {
		text := strings.ToLower(strings.Join([]string{
			f.Time.UTC().Format("15:04:05"), strconv.Itoa(f.Number), f.Name, strconv.Itoa(f.Status),
			origin(f.Origin), f.Fault, f.Client, f.Model, f.Path, f.Message, f.RequestID, f.Ray,
		}, " "))
		return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

// origin says who refused or failed a call.
func origin(o string) string {
	return map[string]string{"upstream": "Workers AI", "guard": "this proxy", "proxy": "this proxy (failed)"}[o]
}

// refusers says who refused or failed calls, and how many.
func refusers(o minutes.Origins) string {
	var all []string
	for _, one := range []struct {
		origin normalize.Origin
		n      int64
	}{
		{normalize.OriginUpstream, o.Upstream}, {normalize.OriginGuard, o.Guard}, {normalize.OriginProxy, o.Proxy},
	} {
		if one.n > 0 {
			all = append(all, origin(string(one.origin))+" "+words.Grouped(one.n))
		}
	}
	return strings.Join(all, ", ")
}

// fixer says who can fix what callers cannot.
func fixer(e *normalize.Entry) string {
	if e.Fault == normalize.FaultCaller { // credentials, which are this proxy's own
		return string(normalize.FaultOperator)
	}
	return string(e.Fault)
}

// total adds up the failures of the last hour.
func total(codes []minutes.CodeFailures) (n int64) {
	for _, f := range codes {
		n += f.Hour.Total()
	}
	return n
}

// key tells a failure from all others.
func key(f recent.Failure) string {
	return f.RequestID + " " + strconv.FormatInt(f.Time.UnixMicro(), 36)
}
