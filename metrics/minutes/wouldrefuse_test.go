package minutes

import (
	"reflect"
	"testing"
	"time"
)

func TestCallsThatWouldBeRefused(t *testing.T) {
	m, now := New(), time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	m.WouldRefuse(now, "m1", "a", "rate")
	m.WouldRefuse(now, "m1", "b", "rate")
	m.WouldRefuse(now, "m2", "a", "client_budget")
	models, clients := m.WouldRefuseToday(now)
	if want := (Reasons{"m1": {"rate": 2}, "m2": {"client_budget": 1}}); !reflect.DeepEqual(models, want) {
		t.Errorf("models: got %v, want %v", models, want)
	}
	if want := (Reasons{"a": {"rate": 1, "client_budget": 1}, "b": {"rate": 1}}); !reflect.DeepEqual(clients, want) {
		t.Errorf("clients: got %v, want %v", clients, want)
	}
	models["m1"]["rate"] = 99 // it is a copy
	if again, _ := m.WouldRefuseToday(now); again["m1"]["rate"] != 2 {
		t.Errorf("got %v after a change of what was returned, want 2", again["m1"]["rate"])
	}
	tomorrow := now.Add(2 * time.Second)
	if models, clients := m.WouldRefuseToday(tomorrow); models != nil || clients != nil {
		t.Errorf("the next day: got %v, %v, want nothing", models, clients)
	}
	m.WouldRefuse(tomorrow, "m2", "a", "rate")
	if models, _ := m.WouldRefuseToday(tomorrow); !reflect.DeepEqual(models, Reasons{"m2": {"rate": 1}}) {
		t.Errorf("the next day: got %v, want one", models)
	}
}
