package status

import (
	"encoding/json"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func TestNeurons(t *testing.T) {
	for text, n := range map[string]quota.Neurons{
		"0": 0, "1": quota.OneNeuron, "0.000001": 1, "2.089318": 2_089_318, "10000": 10_000 * quota.OneNeuron,
		"104.2": 104_200_000, "-0.5": -500_000,
		"9223372036854.775807": quota.MaxNeurons, "-9223372036854.775807": -quota.MaxNeurons,
	} {
		got, err := json.Marshal(Neurons(n))
		if err != nil || string(got) != text {
			t.Errorf("%d: got %s, %v; want %s", n, got, err, text)
		}
	}
	for text, want := range map[string]Neurons{
		"2.089318": 2_089_318, "1e3": 1_000_000_000, "null": 7, "-0.5": -500_000, "123456.789012": 123_456_789_012,
	} {
		f := Neurons(7)
		if err := json.Unmarshal([]byte(text), &f); err != nil || f != want {
			t.Errorf("%s: got %d, %v; want %d", text, f, err, want)
		}
	}
	for _, text := range []string{`"1"`, "true", "1e300", "{}"} {
		if err := json.Unmarshal([]byte(text), new(Neurons)); err == nil {
			t.Errorf("%s: got no error, want one: it is no number of neurons", text)
		}
	}
}
