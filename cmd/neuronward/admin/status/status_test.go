package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/recent"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// sourceOf is a source on the free plan; ledger may be nil.
func sourceOf(ledger *quota.Ledger) *Source {
	var book *bill.Book
	if ledger != nil {
		book = bill.NewBook(0.011, ledger.Archive())
	}
	return &Source{
		Ledger: ledger, Book: book,
		Plan: "free", Mode: "enforce", StoreKind: "memory", StorePolicy: "deny",
		Budget:         func(string) quota.Limits { return quota.Limits{} },
		Minutes:        minutes.New(),
		Reconciliation: func(until time.Time) Reconciliation { return Reconciliation{CountedUntil: Time(until)} },
	}
}

// counting is a source with calls settled: 1.5 reported and 0.5 priced neurons of m1 by team, 2 estimated of m2 by
// other, and 3 in flight.
func counting(t *testing.T) *Source {
	t.Helper()
	ledger, err := quota.New(t.Context(), quota.Options{Store: memstore.New(nil), Limit: 10_000 * quota.OneNeuron})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	reserve := func(model, client string, limit, estimate quota.Neurons) *quota.Reservation {
		t.Helper()
		call := quota.Call{Model: model, Client: client, ClientLimit: limit, Estimate: estimate}
		res, d, err := ledger.Reserve(t.Context(), call)
		if err != nil || res == nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		t.Cleanup(res.Release)
		return res
	}
	const one = quota.OneNeuron
	reserve("m1", "team", 50*one, 10*one).Settle(quota.Cost{Neurons: one + one/2, Basis: quota.Reported})
	reserve("m1", "team", 50*one, 10*one).Settle(quota.Cost{Neurons: one / 2, Basis: quota.Priced})
	reserve("m2", "other", 0, 10*one).Settle(quota.Cost{Neurons: 2*one + 1, Basis: quota.Estimated})
	reserve("m2", "other", 0, 3*one)
	return sourceOf(ledger)
}

// failing is a store that answers nothing but err.
type failing struct {
	quota.Store
	err error
}

func (f failing) Sync(context.Context, quota.Report) (quota.Reply, error) {
	return quota.Reply{}, f.err
}

func (f failing) History(context.Context, quota.Day, quota.Day) ([]quota.Record, error) {
	return nil, f.err
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keys lists the keys of a JSON value with their paths, sorted; [] stands for the elements of a list.
func keys(t *testing.T, body []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	var all []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, below := range v {
				all = append(all, at+k)
				walk(at+k+".", below)
			}
		case []any:
			for _, below := range v {
				walk(strings.TrimSuffix(at, ".")+"[].", below)
			}
		}
	}
	walk("", v)
	slices.Sort(all)
	return slices.Compact(all)
}

// The keys of /status are a promise: a key may come, none may go.
func TestKeysOfStatus(t *testing.T) {
	s := counting(t)
	page := Status{
		Today: s.Today(t.Context()),
		Rates: []proxy.Rate{{}}, Breakers: []breaker.Status{{}},
		Failures: []recent.Failure{{}}, Refusals: []recent.Failure{{}}, Settings: []config.Setting{{}},
		Prices: Prices{Departures: []price.Deviation{{}}},
	}
	page.Forecast = &Forecast{}
	body, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`
		basis_shares basis_shares.estimated basis_shares.priced basis_shares.reported breakers breakers[].model
		breakers[].next_trial clients clients[].calls clients[].estimated clients[].limit clients[].month
		clients[].name
		clients[].neurons clients[].priced clients[].remaining clients[].reported clients[].usd
		clients[].would_refuse commit
		cost cost.usd_month cost.usd_month_forecast cost.usd_today day exhausted_at
		expected_at external failures failures[].client failures[].fault failures[].message failures[].model
		failures[].name
		failures[].number failures[].origin failures[].request_id failures[].route failures[].status failures[].time
		forecast forecast.earliest forecast.high forecast.latest forecast.low holders
		hours in_flight latched limit lost margin mode models
		models[].calls models[].estimated
		models[].fits_now models[].name
		models[].neurons models[].priced models[].reported models[].usd
		models[].would_refuse
		month plan plan_wrong prices prices.as_of prices.asked_at
		prices.departures prices.departures[].live prices.departures[].model prices.departures[].refused
		prices.departures[].table prices.departures[].unit prices.failure prices.models prices.source rates
		rates[].model rates[].pace rates[].requests_per_minute rates[].task rates[].waiting reconciliation
		reconciliation.counted_until reconciliation.failure refusals refusals[].client refusals[].fault
		refusals[].message refusals[].model refusals[].name refusals[].number refusals[].origin
		refusals[].request_id refusals[].route
		refusals[].status refusals[].time remaining requests requests.in_flight requests.limit
		requests.queued reserved resets_at retry_at sessions sessions.characters sessions.ended sessions.limit
		sessions.messages_in sessions.messages_out sessions.open sessions.sound_seconds
		settings settings[].source settings[].value settings[].variable
		store store.failure store.failures store.grants_uncopied store.healthy store.kind store.policy
		store.round_trip_ms used verdict
		verdict.action verdict.because verdict.clients verdict.clients.action verdict.clients.because
		verdict.clients.state verdict.failures verdict.failures.action verdict.failures.because verdict.failures.state
		verdict.quota verdict.quota.action verdict.quota.because verdict.quota.state verdict.state verdict.store
		verdict.store.action verdict.store.because verdict.store.state version
		waiting yesterday yesterday.by_now yesterday.day yesterday.hours yesterday.used`)
	if got := keys(t, body); !slices.Equal(got, want) {
		t.Errorf("got keys\n%q\nwant\n%q", got, want)
	}
	h, err := s.History(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if body, err = json.Marshal(h); err != nil {
		t.Fatal(err)
	}
	want = strings.Fields(`
		days days[].beyond days[].calls days[].clients days[].clients[].calls
		days[].clients[].estimated days[].clients[].name
		days[].clients[].neurons days[].clients[].priced days[].clients[].reported
		days[].clients[].usd days[].day days[].estimated
		days[].models days[].models[].calls days[].models[].estimated days[].models[].name days[].models[].neurons
		days[].models[].priced days[].models[].reported days[].models[].usd days[].neurons days[].priced
		days[].reported days[].usd`)
	if got := keys(t, body); !slices.Equal(got, want) {
		t.Errorf("got keys of the history\n%q\nwant\n%q", got, want)
	}
}

func TestHistory(t *testing.T) {
	s := counting(t)
	h, err := s.History(t.Context(), 3)
	if err != nil || len(h.Days) != 3 {
		t.Fatalf("got %+v, %v; want 3 days", h, err)
	}
	got := asJSON(t, h)
	want := `{"days":[{"day":` + asJSON(t, h.Days[0].Day) + `,"calls":3,"neurons":4.000001,"reported":1.5,` +
		`"priced":0.5,"estimated":2.000001,"beyond":0,"usd":0,"models":[{"name":"m2"`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s first", got, want)
	}
	if days := h.Days[0].Day - h.Days[2].Day; days != 2 {
		t.Errorf("got %d days between the first and the last, want 2", days)
	}
	if spent := h.Days[2].Neurons; spent != 0 {
		t.Errorf("a day without calls: got %s neurons, want 0", spent)
	}
	if want := `"models":[],"clients":[]`; !strings.Contains(got, want) {
		t.Errorf("a day without calls: got %s, want %s", got, want)
	}
	off := sourceOf(nil)
	if h, err := off.History(t.Context(), 3); err != nil || asJSON(t, h) != `{"days":[]}` {
		t.Errorf("off: got %+v, %v; want no days", h, err)
	}
}

// A client that has called other replicas alone has its budget here as well.
func TestBudgetsOfClients(t *testing.T) {
	s := counting(t)
	s.Budget = func(client string) quota.Limits {
		return map[string]quota.Limits{"other": {Day: 3 * quota.OneNeuron}}[client]
	}
	got := asJSON(t, s.Today(t.Context()).Clients)
	for _, want := range []string{`"limit":3,"remaining":0.999999,`, `"limit":50,"remaining":48,`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
	}
}

// A client with a budget of which all calls were refused is listed with its budget; one without is not.
func TestBudgetOfAClientThatWasOnlyRefused(t *testing.T) {
	s := counting(t)
	s.Budget = func(client string) quota.Limits {
		return map[string]quota.Limits{"refused": {Day: 3 * quota.OneNeuron}}[client]
	}
	for _, client := range []string{"refused", "team", "free"} {
		s.Minutes.Ended(time.Now(), &minutes.Call{Model: "m1", Client: client, Failed: true})
	}
	var names []string
	all := s.Today(t.Context()).Clients
	for _, c := range all {
		names = append(names, c.Name)
	}
	if want := []string{"other", "team", "refused"}; !slices.Equal(names, want) {
		t.Fatalf("got clients %q, want %q", names, want)
	}
	if got, want := asJSON(t, all[2]), `"calls":0,"neurons":0,`; !strings.Contains(got, want) {
		t.Errorf("%s\nis not in\n%s", want, got)
	}
	if got, want := asJSON(t, all[2]), `"limit":3,"remaining":3,`; !strings.Contains(got, want) {
		t.Errorf("%s\nis not in\n%s", want, got)
	}
}

// Calls that would have been refused are told of each model and client, also where nothing is booked yet.
func TestWouldRefuse(t *testing.T) {
	s := counting(t)
	s.WouldRefuse = func() (models, clients minutes.Reasons) {
		return minutes.Reasons{"m1": {"rate": 2}, "m3": {"plan": 1}},
			minutes.Reasons{"team": {"rate": 2}, "new": {"plan": 1}}
	}
	d := s.Today(t.Context())
	models, clients := map[string]string{}, map[string]string{}
	for _, m := range d.Models {
		models[m.Name] = m.WouldRefuse.String()
	}
	for _, c := range d.Clients {
		clients[c.Name] = c.WouldRefuse.String()
	}
	if want := (map[string]string{"m1": "rate 2", "m2": "", "m3": "plan 1"}); !maps.Equal(models, want) {
		t.Errorf("models: got %v, want %v", models, want)
	}
	if want := (map[string]string{"team": "rate 2", "other": "", "new": "plan 1"}); !maps.Equal(clients, want) {
		t.Errorf("clients: got %v, want %v", clients, want)
	}
	if got := asJSON(t, d.Models); !strings.Contains(got, `"would_refuse":{"rate":2}`) ||
		!strings.Contains(got, `"would_refuse":{}`) {
		t.Errorf("got %s, want counts in it, and an empty object", got)
	}
}

// A limit of the month is shown with what was used of it, whether this process knows the client or not.
func TestMonth(t *testing.T) {
	const n = quota.OneNeuron
	store := memstore.New(nil)
	today := quota.DayOf(time.Now())
	past := quota.Report{
		Day: today - 1, Replica: "a", Seq: 1, Leave: true, External: quota.External{Spent: 7 * n, At: time.Now()},
		Requests: []quota.BudgetRequest{
			{Budget: quota.Account, Spent: 30 * n}, {Budget: quota.ClientBudget("b"), Spent: 20 * n, Held: n},
		},
	}
	if _, err := store.Sync(t.Context(), past); err != nil {
		t.Fatal(err)
	}
	ledger, err := quota.New(t.Context(), quota.Options{Store: store, Limit: 400 * n, MonthLimit: 300 * n})
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close(context.Background())
	for client, limit := range map[string]quota.Neurons{"a": 0, "b": 50 * n} {
		call := quota.Call{Model: "m", Client: client, ClientMonth: limit, CountClient: true, Estimate: n}
		res, d, err := ledger.Reserve(t.Context(), call)
		if err != nil || res == nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		res.Settle(quota.Cost{Neurons: n})
	}
	earlier := quota.Neurons(37) // of the account
	if today == today.FirstOfMonth() {
		earlier = 0
	}
	s := sourceOf(ledger)
	s.Budget = func(client string) quota.Limits {
		return map[string]quota.Limits{"a": {Month: 10 * n}}[client] // ledger knows a without a limit: a file just read
	}
	d := s.Today(t.Context())
	used, limit := float64(earlier+2), 300.0
	want := fmt.Sprintf(`{"limit":%v,"used":%v,"remaining":%v,"resets_at":"%s"}`,
		limit, used, limit-used, today.MonthEnd().Format(time.RFC3339))
	if got := asJSON(t, d.Month); got != want {
		t.Errorf("account: got %s, want %s", got, want)
	}
	if got := float64(*d.Limit) / float64(n); got != 300-float64(earlier) {
		t.Errorf("limit of today: got %v, want what the month has left, %v", got, 300-float64(earlier))
	}
	for _, c := range d.Clients {
		if (c.Month != nil) != (c.Name == "b") {
			t.Errorf("client %s: got the month %+v, want one of b alone", c.Name, c.Month)
		}
	}
}

// While the store fails, the status shows what this process knows.
func TestAStoreThatFails(t *testing.T) {
	store := failing{memstore.New(nil), errors.New("disk on fire")}
	ledger, err := quota.New(t.Context(), quota.Options{Store: store, Limit: 10 * quota.OneNeuron})
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close(context.Background())
	s := sourceOf(ledger)
	d := s.Today(t.Context())
	if d.Store.Healthy || d.Store.Failures == 0 {
		t.Errorf("got healthy %v, %d failures; want false, some", d.Store.Healthy, d.Store.Failures)
	}
	if d.Used == nil {
		t.Error("got no figure of what is used, want that of this process")
	}
	if d.Store.Failure == nil || !strings.Contains(*d.Store.Failure, "disk on fire") {
		t.Errorf("got failure %v, want the disk on fire", d.Store.Failure)
	}
	if _, err := s.History(t.Context(), 2); err == nil {
		t.Error("got no error of the days, want that of the store")
	}
}
