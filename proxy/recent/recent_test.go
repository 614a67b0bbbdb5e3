package recent

import "testing"

func TestTheLastAreKept(t *testing.T) {
	var fs Failures
	if got := fs.List(); got == nil || len(got) != 0 {
		t.Errorf("got %v of nothing, want an empty list", got)
	}
	for n := range 2*Max + 3 {
		fs.Add(Failure{Number: n})
	}
	all := fs.List()
	if len(all) != Max {
		t.Fatalf("got %d failures, want %d", len(all), Max)
	}
	for i, f := range all {
		if want := 2*Max + 2 - i; f.Number != want {
			t.Errorf("at %d: got %d, want %d", i, f.Number, want)
		}
	}
}
