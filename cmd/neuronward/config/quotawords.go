package config

// Words of the settings below that the program itself compares.
const (
	PlanFree     = "free"
	ModeObserve  = "observe"
	ModeOff      = "off"
	EstimateMost = "expected"
	AbortedAll   = "estimate"
	PolicyAllow  = "allow"

	// freeNeurons is what every account is given a day; on the free plan it is a wall.
	FreeNeurons = 10_000
)

// resolveQuota puts the defaults that depend on other settings, and tells when there is none.
func (l *Loader) resolveQuota() {
	c := &l.Config
	if _, set := l.given["NEURONWARD_DAILY_NEURONS"]; !set && c.Plan == PlanFree {
		c.DailyNeurons = FreeNeurons
	}
	// Without an account there is another mistake to tell, or a command that has no use for a store.
	if c.Store != "" || l.wrong("NEURONWARD_STORE") || c.Account == "" || c.QuotaMode == ModeOff {
		return
	}
	store, err := defaultStore(stateDirectories(l.environ), c.Account)
	if err != nil {
		l.mistake("NEURONWARD_STORE", "%v", err)
	}
	c.Store = store
}

// PlanAssumed reports whether the plan was not said and matters.
func (l *Loader) PlanAssumed() bool {
	return l.given["NEURONWARD_PLAN"] == "" && l.Config.QuotaMode != ModeOff
}
