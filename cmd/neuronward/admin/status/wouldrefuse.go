package status

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/metrics/minutes"
)

// addWouldRefuse says of each model and client how many of its calls would have been refused, also of those of which
// nothing is booked yet.
func (s *Source) addWouldRefuse(t *Today) {
	var models, clients minutes.Reasons
	if s.WouldRefuse != nil {
		models, clients = s.WouldRefuse()
	}
	take := func(all minutes.Reasons, name string) Reasons {
		counts := Reasons(all[name])
		delete(all, name)
		if counts == nil {
			return Reasons{}
		}
		return counts
	}
	for i := range t.Models {
		t.Models[i].WouldRefuse = take(models, t.Models[i].Name)
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		t.Models = append(t.Models, Model{Spending: Spending{Name: name}, WouldRefuse: Reasons(models[name])})
	}
	for i := range t.Clients {
		t.Clients[i].WouldRefuse = take(clients, t.Clients[i].Name)
	}
	for _, name := range slices.Sorted(maps.Keys(clients)) {
		t.Clients = append(t.Clients, Client{Spending: Spending{Name: name}, WouldRefuse: Reasons(clients[name])})
	}
}

// String lists the reasons, the first by name first: "client_budget 12, rate 3"; "" for none.
func (r Reasons) String() string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(r)) {
		all = append(all, reason+" "+strconv.FormatInt(r[reason], 10))
	}
	return strings.Join(all, ", ")
}
