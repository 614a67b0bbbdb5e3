package filestore_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// formerFile and formerDay are the file as the two former versions read it: a further field of the file is an error to
// them, and further ones of a day are skipped.
type formerFile struct {
	Block  json.RawMessage      `json:"latch"`
	Leases map[string]time.Time `json:"leases"`
	Days   []json.RawMessage    `json:"days"`
}

type formerDay struct {
	Day     string               `json:"day"`
	Budgets map[string]formerSum `json:"pots"`
	Records []formerRecord       `json:"records"`
	Hours   []int64              `json:"hours"`
}

type formerSum struct {
	Limit int64 `json:"limit"`
	Spent int64 `json:"spent"`
	Held  int64 `json:"held"`
}

type formerRecord struct {
	Model    string `json:"model"`
	Client   string `json:"client"`
	Calls    int64  `json:"calls"`
	Reported int64  `json:"reported"`
	Peak     int64  `json:"peak"`
}

// The file in testdata is one that both former versions write. This version goes on with it, and they with what this
// one makes of it, once it has a price as well, of which they do not know.
func TestAFormerVersionsFile(t *testing.T) {
	data, err := os.ReadFile("testdata/former")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "neurons")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	day := quota.DayOf(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	committed, err := s.Committed(t.Context(), day, day)
	want := map[quota.Budget]quota.Neurons{quota.Account: 7.5e6, quota.ClientBudget("team"): 7.5e6}
	if got := committed.Sum(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("committed: got %v, %v, want %v", got, err, want)
	}
	r := report("b", 1, quota.BudgetRequest{Want: 5 * n, Min: 1})
	r.Day = day
	if reply, err := s.Sync(t.Context(), r); err != nil || reply.Granted[0] != 5*n {
		t.Errorf("a grant: got %v, %v, want 5 neurons", reply.Granted, err)
	}
	if _, err := s.Prices(t.Context(), day, quota.DayPrice{Nanodollars: 11_000_000, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	data, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(data, []byte("\n"))
	if !bytes.HasPrefix(head, []byte("neuronward-quota 2 ")) || !bytes.Contains(body, []byte(`"price":{`)) {
		t.Errorf("got the file\n%s\nwant version 2, and a price", data)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var file formerFile
	if err := dec.Decode(&file); err != nil || len(file.Days) != 1 {
		t.Fatalf("got %d days, %v, want one", len(file.Days), err)
	}
	var got formerDay
	if err := json.Unmarshal(file.Days[0], &got); err != nil {
		t.Fatal(err)
	}
	hours := make([]int64, 24)
	hours[0] = 7.5e6
	if want := (formerDay{
		Day: "2026-12-01", Hours: hours,
		Budgets: map[string]formerSum{
			"account":     {Limit: 100e6, Spent: 7.5e6, Held: 5e6},
			"client:team": {Limit: 99e6, Spent: 7.5e6},
		},
		Records: []formerRecord{
			{Model: "@cf/meta/llama-3.1-8b-instruct-fp8", Client: "team", Calls: 3, Reported: 7.5e6, Peak: 1601},
		},
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("the day, to a former version: got %+v, want %+v", got, want)
	}
}
