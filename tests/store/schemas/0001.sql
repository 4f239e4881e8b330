BEGIN TRANSACTION;
CREATE TABLE admission (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	asked_at_ms BIGINT, 
	admitted_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_admission PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_admission_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_admission_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE context (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER NOT NULL, 
	id_context BLOB NOT NULL, 
	aead INTEGER NOT NULL, 
	wrapped_keys BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_context PRIMARY KEY (id), 
	CONSTRAINT fk_context_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_context_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'01000000024CF2E82F72025F66CF11EC7288B88146635747282BBC0E758E73EE6B2CE7C56A5A43798CBFD7E961FF13E1FC4848232012FC95466FBCD726118583C96F4AA2D8A962068C89AD70773D486C6418',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'01000000021732395A2B2984EE284835D66CE2FC99E2E23F30728FF93D68C028FA1C0900E47DD6CAAFBCAA39B1E40510682B0C1CB7A284AC0C7FF6D7186185BFF5B6E2C1DD463E73C812A30066E1236987D8',1796000000000);
INSERT INTO "context" VALUES(3,3,3,X'00124B0000000003',10,X'',1796000000000);
CREATE TABLE context_kid (
	kid_context BLOB NOT NULL, 
	context_id INTEGER NOT NULL, 
	CONSTRAINT pk_context_kid PRIMARY KEY (kid_context, context_id), 
	CONSTRAINT fk_context_kid_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_kid" VALUES(X'00124B0000000001',1);
INSERT INTO "context_kid" VALUES(X'00124B0000000002',2);
CREATE TABLE context_state (
	context_id INTEGER NOT NULL, 
	highest BIGINT NOT NULL, 
	seen BIGINT NOT NULL, 
	numbers_reserved BIGINT NOT NULL, 
	needs_recovery INTEGER NOT NULL, 
	request_digest BLOB, 
	answer BLOB, 
	answered_at_ms BIGINT, 
	answer_peer BLOB, 
	answer_generation_id INTEGER, 
	joined_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_context_state PRIMARY KEY (context_id), 
	CONSTRAINT ck_context_state_numbers CHECK (numbers_reserved BETWEEN 0 AND 1099511627776), 
	CONSTRAINT fk_context_state_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'C18F41D5B1D4FCB0629322DF3C45C6E7');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'9451859FB94C0AB6B1167CCD599646F6');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'FCB8586A2ECA0CBF9D27E17205AE506B');
CREATE TABLE credential (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	wrapped_secret BLOB, 
	aead INTEGER NOT NULL, 
	hkdf INTEGER NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	import_id INTEGER, 
	psk_fingerprint BLOB, 
	sender_fingerprint BLOB NOT NULL, 
	recipient_fingerprint BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_credential PRIMARY KEY (id), 
	CONSTRAINT ck_credential_kind CHECK (kind IN ('psk', 'derived')), 
	CONSTRAINT ck_credential_state CHECK (state IN ('staged','current','candidate','superseded','removed')), 
	CONSTRAINT fk_credential_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_credential_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT uq_credential_psk_fingerprint UNIQUE (psk_fingerprint), 
	CONSTRAINT uq_credential_recipient_fingerprint UNIQUE (recipient_fingerprint), 
	CONSTRAINT uq_credential_sender_fingerprint UNIQUE (sender_fingerprint)
);
INSERT INTO "credential" VALUES(1,1,'psk',X'010000000124BCDDB51D3380E9D86B5B1ED1A080210AA1D414A8DF84E98C25D22CC0E76546A3589D1AFA1F0652C143B5BD',10,-10,'operator','','current',NULL,X'C27E99CA3E63EFE4A872614D069E72D0',X'CD019AB4C0C2C4AC940EA6C6EA7D7FD6',X'E67060DF69319A5EA0B3E28D4ACAFDD5',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'010000000122B4048C9F8D816E0B0DB2A085B8BC7C046A7AD12D1C944E3915B6A00FF3EEE23237D81B0B45675918C706ED',10,-10,'operator','','current',NULL,X'171BC13265EC2B1160237D43F3431122',X'0577E98291B387430ADB46EA2103065B',X'FE7EA428DC28486DBD2455FDA186FD80',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'BA032F90A57F6D68B7CCF4E635AA319C',X'4285D9F7CD13593B2AD3050B47461DFD',X'3046370B9DBD917E8B86DFEE6462FEAD',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'0174B3B649E77A79E67F220C6D0F8616B760ABEF1E1BD4A374A1225408F7197CFF695D8203EF63ECFEE28B3D48E9541505C9CFBC727F86D0B80DD25655',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'010429ED7321E90F61CB9F864D7189370E36DC9266F39E70257C6BA0F6118F598E304307F98C264C519CDC08AEB78C49555239059A9F56BB94633BB408',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'013D419A0E6F9AAF4B44312697A10B7DAFD83B13A3C6F2CEA3391122C0C8384EFB99CCAE42F8F55B980637A92C152C9A568AAE98054E26E97119060E37',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'01575742A92CBA9E9B92750FC60059B5E7A032C4BD984E67DA1642965ED6A4971F7FCF32F45510263A7E8DAA031C72C5C1A259A4D9160D2A7F5D7A4E88',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'018B8003C598A71AA7D1A0A79B413298363C710FDDFDC0EA053D7C4A60A3C467DF65902F4E57E1767725F8697937C0AF492BD1C197D14F6082918BC6DB',1796000000000,NULL);
CREATE TABLE event (
	number INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	pledge BLOB, 
	network VARCHAR(64), 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	hash BLOB NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (number)
);
INSERT INTO "event" VALUES(1,1796000000000,'key_generation.created',NULL,NULL,'cli:uid=1000','','{"generation":1,"key_domain":"lab","key_ids":[1]}',X'FBCE6269A28A2B16AD9B510BD84886F17D776963F93ABC4AB4E15F6BF6CA0DDE');
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"admission":"known","identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"jrc_address_from":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","prefix_from":null,"profile":"rfc9031","short_ids":"0001-7fff"}',X'673CBE8F183DC8C7A1496E0E245D5C0A82CA5D48EFD7E3277013A00EB29CE53E');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'99D8474B60DA6BF17990C3AD5AA6539175753B02342E8C37160E16527CB043AF');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'BB46AE20E7E178F4999C9F2437E8FD85656894DF7866243E644FF9CE1A4E5111');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'33F7C7520BEA6E82662A4472990CF76ECBD4181F997E986860E1A7ABE09AC151');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{}',X'95F4951640C7507C158568CD201254B5222591C721649CEA73523B7443296C10');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{}',X'22E317B27CF278D35F1DF29BD81A7B62402FE4223681DE521CE2084A4F56D403');
CREATE TABLE import_batch (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	published_at_ms BIGINT, 
	row_count BIGINT NOT NULL, 
	CONSTRAINT pk_import_batch PRIMARY KEY (id), 
	CONSTRAINT ck_import_batch_state CHECK (state IN ('staged', 'published', 'discarded'))
);
CREATE TABLE installation (
	network_id INTEGER NOT NULL, 
	installer VARCHAR(64) NOT NULL, 
	generation BIGINT, 
	installed_at_ms BIGINT, 
	tried_at_ms BIGINT NOT NULL, 
	failures BIGINT NOT NULL, 
	error TEXT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_installation PRIMARY KEY (network_id, installer), 
	CONSTRAINT fk_installation_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
CREATE TABLE instance (
	id INTEGER NOT NULL, 
	epoch BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	commit_number BIGINT NOT NULL, 
	event_number BIGINT NOT NULL, 
	event_hash BLOB NOT NULL, 
	policy_revision BIGINT NOT NULL, 
	clock_high_water_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_instance PRIMARY KEY (id), 
	CONSTRAINT ck_instance_single CHECK (id = 1)
);
INSERT INTO "instance" VALUES(1,X'BF7B7C4521048E1E7BAD1BF8A4975A79',1796000000000,6,7,X'22E317B27CF278D35F1DF29BD81A7B62402FE4223681DE521CE2084A4F56D403',6,1796000000000,7,X'DCE1A2914A8254CFE87EDC61D8B3421C');
CREATE TABLE join_window (
	id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	opened_at_ms BIGINT NOT NULL, 
	until_ms BIGINT NOT NULL, 
	max_pledges BIGINT NOT NULL, 
	admitted BIGINT NOT NULL, 
	seen_before_ms BIGINT NOT NULL, 
	closed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_join_window PRIMARY KEY (id), 
	CONSTRAINT ck_join_window_admitted CHECK (admitted BETWEEN 0 AND max_pledges), 
	CONSTRAINT fk_join_window_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
CREATE TABLE key_domain (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	key_usages VARCHAR(32) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_domain PRIMARY KEY (id), 
	CONSTRAINT uq_key_domain_name UNIQUE (name)
);
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'7827068131A32A0F4261BD151F7BC41C');
CREATE TABLE key_generation (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	activated_at_ms BIGINT, 
	retired_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_generation PRIMARY KEY (id), 
	CONSTRAINT fk_key_generation_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT uq_key_generation_domain_id_number UNIQUE (domain_id, number)
);
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'010CD3D7A0DC19385F9FC8B5E1AD38B9');
CREATE TABLE link_layer_key (
	id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	key_usage INTEGER NOT NULL, 
	key_addinfo BLOB, 
	mic_length INTEGER NOT NULL, 
	fingerprint BLOB NOT NULL, 
	wrapped_value BLOB NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_link_layer_key PRIMARY KEY (id), 
	CONSTRAINT fk_link_layer_key_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT uq_link_layer_key_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'DFB28943E56F807454FECEE92C9DF500',X'01000000038F56BA37F24E8BAE90555C74F7D3E3F577993ECA1AFC52106AF5AA69AD6390FCDC4EE61AC000EB09A0F4C91F','generated');
CREATE TABLE network (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	domain_id INTEGER NOT NULL, 
	prefix VARCHAR(43) NOT NULL, 
	prefix_from VARCHAR(15), 
	jrc_address VARCHAR(39), 
	jrc_address_from VARCHAR(15), 
	addresses_changed_at_ms BIGINT, 
	short_id_first INTEGER NOT NULL, 
	short_id_last INTEGER NOT NULL, 
	lease_hours BIGINT, 
	join_rate BIGINT, 
	throttle BIGINT, 
	quiet INTEGER NOT NULL, 
	profile VARCHAR(16) NOT NULL, 
	admission VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	removed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network PRIMARY KEY (id), 
	CONSTRAINT ck_network_admission CHECK (admission IN ('known', 'window', 'approval')), 
	CONSTRAINT fk_network_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,NULL,NULL,NULL,1,32767,NULL,NULL,NULL,0,'rfc9031','known',1796000000000,NULL,1,X'11D141DB972864D3B2E43385641F05AF');
CREATE TABLE network_identifier (
	network_id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	position INTEGER NOT NULL, 
	since_ms BIGINT NOT NULL, 
	CONSTRAINT pk_network_identifier PRIMARY KEY (network_id, identifier), 
	CONSTRAINT fk_network_identifier_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_identifier" VALUES(1,X'CAFE',0,1796000000000);
CREATE TABLE network_settings (
	network_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	join_rate BIGINT, 
	jrc_address VARCHAR(39), 
	blocked BLOB NOT NULL, 
	since_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network_settings PRIMARY KEY (network_id, number), 
	CONSTRAINT fk_network_settings_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	first_joined_at_ms BIGINT NOT NULL, 
	address VARCHAR(39), 
	settings_number BIGINT NOT NULL, 
	sleep_s BIGINT, 
	CONSTRAINT pk_node PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE node_update (
	pledge_id INTEGER NOT NULL, 
	attempts BIGINT NOT NULL, 
	last_error TEXT, 
	tried_at_ms BIGINT, 
	next_at_ms BIGINT, 
	acknowledged_at_ms BIGINT, 
	refused_number BIGINT, 
	lease_sent_at_ms BIGINT, 
	throttle BIGINT, 
	told_throttle BIGINT, 
	CONSTRAINT pk_node_update PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_update_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE pledge (
	id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_before_revocation VARCHAR(16), 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	credential_id INTEGER, 
	import_id INTEGER, 
	supersedes_id INTEGER, 
	created_at_ms BIGINT NOT NULL, 
	updated_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_pledge PRIMARY KEY (id), 
	CONSTRAINT fk_pledge_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_pledge_supersedes_id_pledge FOREIGN KEY(supersedes_id) REFERENCES pledge (id), 
	CONSTRAINT uq_pledge_identifier UNIQUE (identifier)
);
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'C8383E1E6828A4A6D4195AF66CBDFD5E');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'05087E7D2333C3CA0AE6A9BD35AFC587');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'0AB7C69FA357255F99A47C84EADC2B63');
CREATE TABLE pledge_network (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_pledge_network PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_pledge_network_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_pledge_network_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "pledge_network" VALUES(1,1,0);
INSERT INTO "pledge_network" VALUES(2,1,0);
CREATE TABLE rollover (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	former_generation_id INTEGER NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	paused_from VARCHAR(16), 
	pause_cause VARCHAR(32), 
	cause VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	quorum INTEGER NOT NULL, 
	deadline_s BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	distributing_at_ms BIGINT, 
	deadline_at_ms BIGINT, 
	switching_at_ms BIGINT, 
	guarding_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_rollover PRIMARY KEY (id), 
	CONSTRAINT ck_rollover_quorum CHECK (quorum BETWEEN 0 AND 1000), 
	CONSTRAINT fk_rollover_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_rollover_former_generation_id_key_generation FOREIGN KEY(former_generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_rollover_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id)
);
CREATE TABLE rollover_node (
	rollover_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts BIGINT NOT NULL, 
	last_error TEXT, 
	sent_at_ms BIGINT, 
	reached_at_ms BIGINT, 
	tried_at_ms BIGINT, 
	next_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_rollover_node PRIMARY KEY (rollover_id, pledge_id), 
	CONSTRAINT fk_rollover_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_rollover_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT fk_rollover_node_rollover_id_rollover FOREIGN KEY(rollover_id) REFERENCES rollover (id)
);
CREATE TABLE short_identifier (
	domain_id INTEGER NOT NULL, 
	value INTEGER NOT NULL, 
	pledge_id INTEGER, 
	first_generation BIGINT NOT NULL, 
	last_generation BIGINT NOT NULL, 
	lease_until_ms BIGINT, 
	released_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_short_identifier PRIMARY KEY (domain_id, value), 
	CONSTRAINT ck_short_identifier_holder CHECK (pledge_id IS NOT NULL OR released_at_ms IS NOT NULL), 
	CONSTRAINT ck_short_identifier_value CHECK (value BETWEEN 0 AND 65533), 
	CONSTRAINT fk_short_identifier_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_short_identifier_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE staged_change (
	import_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER, 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	network_ids TEXT NOT NULL, 
	source TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_staged_change PRIMARY KEY (import_id, pledge_id), 
	CONSTRAINT fk_staged_change_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_staged_change_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_staged_change_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE unsupported_parameter (
	pledge_id INTEGER NOT NULL, 
	label BIGINT NOT NULL, 
	code BIGINT NOT NULL, 
	addinfo BLOB, 
	reported_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_unsupported_parameter PRIMARY KEY (pledge_id, label), 
	CONSTRAINT fk_unsupported_parameter_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE wanted_rollover (
	domain_id INTEGER NOT NULL, 
	cause VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	asked_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_wanted_rollover PRIMARY KEY (domain_id), 
	CONSTRAINT fk_wanted_rollover_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
CREATE INDEX ix_event_pledge ON event (pledge) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_network_domain_id ON network (domain_id);
CREATE UNIQUE INDEX uq_network_name_live ON network (name) WHERE removed_at_ms IS NULL;
CREATE UNIQUE INDEX uq_join_window_open ON join_window (network_id) WHERE closed_at_ms IS NULL;
CREATE INDEX ix_pledge_import_id ON pledge (import_id);
CREATE INDEX ix_admission_network_id ON admission (network_id);
CREATE INDEX ix_credential_import_id ON credential (import_id);
CREATE INDEX ix_credential_pledge_id ON credential (pledge_id);
CREATE INDEX ix_link_layer_key_generation_id ON link_layer_key (generation_id);
CREATE INDEX ix_network_identifier_identifier ON network_identifier (identifier);
CREATE INDEX ix_pledge_network_network ON pledge_network (network_id, pledge_id);
CREATE UNIQUE INDEX uq_short_identifier_holder ON short_identifier (pledge_id, domain_id);
CREATE INDEX ix_context_credential_id ON context (credential_id);
CREATE INDEX ix_context_pledge_id ON context (pledge_id);
CREATE INDEX ix_staged_change_credential_id ON staged_change (credential_id);
CREATE INDEX ix_context_kid_context_id ON context_kid (context_id);
CREATE INDEX ix_node_update_due ON node_update (next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE UNIQUE INDEX uq_rollover_running ON rollover (domain_id) WHERE ended_at_ms IS NULL;
CREATE INDEX ix_rollover_node_due ON rollover_node (next_at_ms) WHERE next_at_ms IS NOT NULL;
COMMIT;
