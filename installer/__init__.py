"""The installer: options and facts become a plan, the plan is applied, all or nothing."""
