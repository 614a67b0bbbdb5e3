package price_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota/price"
)

// table is a small valid table; each test breaks one thing in it.
const table = `{"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 10000, "models": {
	"@cf/a/new": {"task": "text-generation", "input_tokens_per_m": 1000,
		"cached_input_tokens_per_m": 100, "output_tokens_per_m": 2000},
	"@cf/a/old": {"task": "text-generation", "input_tokens_per_m": 1000,
		"deprecated_on": "2026-05-30", "aliased_to": "@cf/a/new"},
	"@cf/b/img": {"task": "text-to-image", "tile": 4.8, "step": 9.6, "default_steps": 4, "max_steps": 8},
	"@cf/c/net": {"task": "image-classification", "images_per_m": 228055, "image": 0.228055}
}}`

func TestParseRefuses(t *testing.T) {
	if _, err := price.Parse([]byte(table)); err != nil {
		t.Fatalf("the whole table: %v", err)
	}
	for _, c := range []struct{ name, from, to, says string }{
		{"what is no JSON", table, `{`, "EOF"},
		{"nothing", table, ``, "EOF"},
		{"null", table, `null`, "there is none"},
		{"more after the table", `}}`, `}} {}`, "more after"},
		{"an unknown column", `"tile"`, `"tyle"`, `unknown field "tyle"`},
		{"an unknown key beside the models", `"as_of"`, `"as_off"`, `unknown field`},
		{"a key twice", `"tile": 4.8`, `"tile": 4.8, "tile": 0.1`, `"tile" is there twice`},
		{"a key twice in another case", `"tile": 4.8`, `"tile": 4.8, "TILE": 0.1`, "twice"},
		{"a model twice", `"@cf/a/old"`, `"@cf/a/new"`, "twice"},
		{"a price as text", `"tile": 4.8`, `"tile": "4.8"`, "cannot unmarshal"},
		{"a negative price", `"tile": 4.8`, `"tile": -4.8`, "tile: -4.8 is not between"},
		{"a free tile", `"tile": 4.8`, `"tile": 0`, "tile: 0 is not between"},
		{"no task", `"task": "text-to-image", `, ``, `task: ""`},
		{"a task that does not exist", `"text-to-image"`, `"no-such-task"`, `task: "no-such-task"`},
		{"no price", `"tile": 4.8, "step": 9.6, `, ``, "no price"},
		{"a cached token dearer than another", `_per_m": 100,`, `_per_m": 1001,`, "dearer"},
		{"more steps than there may be", `"default_steps": 4`, `"default_steps": 9`, "do not go together"},
		{
			"a picture without end",
			`"default_steps": 4`, `"default_steps": 4, "default_width": 1024000`, "default_width 1024000",
		},
		{"a date that is none", `2026-05-30`, `2026-02-30`, "deprecated_on"},
		{"a table without a date", `2026-08-28`, `yesterday`, "as_of"},
		{"an alias to nowhere", `_to": "@cf/a/new"`, `_to": "@cf/a/newer"`, "aliased_to"},
		{"an alias to an alias", `_to": "@cf/a/new"`, `_to": "@cf/a/old"`, "aliased_to"},
		{"a dollar rate a million times off", `0.011`, `11000`, "usd_per_1000_neurons"},
		{"an allocation below nothing", `10000,`, `-1,`, "free_daily_neurons"},
		{"two prices for an image", `0.228055`, `0.5`, "images_per_m"},
		{
			"an image a million times too cheap",
			`"images_per_m": 228055, "image": 0.228055`, `"image": 0.000000228055`,
			"image: 2.28055e-07 is not between",
		},
		{
			"a million images for the price of one",
			`"images_per_m": 228055, "image": 0.228055`, `"images_per_m": 0.228055`,
			"images_per_m, for each: 2.28055e-07 is not",
		},
		{
			"no models",
			table, `{"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 1, "models": {}}`,
			"there is none",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := strings.Replace(table, c.from, c.to, 1)
			if broken == table {
				t.Fatalf("got the table as it was, want %q replaced", c.from)
			}
			p, err := price.Parse([]byte(broken))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got error %v, want one with %q", err, c.says)
			}
			if p != nil {
				t.Errorf("got table %v, want none", p)
			}
		})
	}
}

// A picture has the price that its row says, of one or of a million, which is exact.
func TestPriceOfAPicture(t *testing.T) {
	const both = `"images_per_m": 228055, "image": 0.228055`
	for row, want := range map[string]float64{
		both:                     0.228055,
		`"images_per_m": 228055`: 0.228055,
		`"image": 0.2281`:        0.2281,
		`"images_per_m": 228055, "image": 0.2281`: 0.228055,
	} {
		parsed, err := price.Parse([]byte(strings.Replace(table, both, row, 1)))
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		if got, _ := parsed.Row("@cf/c/net"); got.Image != want {
			t.Errorf("%s: got %v a picture, want %v", row, got.Image, want)
		}
	}
}

func TestParseNamesAllMistakes(t *testing.T) {
	broken := strings.NewReplacer("2026-05-30", "never", "4.8", "-1", "0.011", "-1").Replace(table)
	_, err := price.Parse([]byte(broken))
	for _, want := range []string{"deprecated_on", "tile", "usd_per"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that mentions %s", err, want)
		}
	}
}

// Each price of the real table, a million times too dear and too cheap, as a slip
// between neurons and micro-neurons would make it.
func TestAMillionTimesOffIsRefused(t *testing.T) {
	data, err := os.ReadFile("prices.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	notes := []string{
		"default_width", "default_height", "default_steps", "max_steps", "default_output_tokens",
		"usd_audio_minute", "derived_from_usd_per_m_input",
	}
	tried := 0
	for name, row := range file["models"].(map[string]any) {
		row := row.(map[string]any)
		for column, v := range row {
			value, ok := v.(float64)
			if !ok || value == 0 || slices.Contains(notes, column) {
				continue
			}
			for _, factor := range []float64{1e6, 1e-6} {
				row[column] = value * factor
				off, err := json.Marshal(file)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := price.Parse(off); err == nil || !strings.Contains(err.Error(), column) {
					t.Errorf("%s: %s = %v: got %v, want an error about the column", name, column, value*factor, err)
				}
				tried++
			}
			row[column] = value
		}
	}
	if tried < 200 {
		t.Errorf("got %d prices, want at least 200", tried)
	}
}
