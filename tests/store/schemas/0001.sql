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
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'0100000002F568661C553FC245ECBD83A494B6BD893A14C7CCFBDCD5066BBC0E06068706B2EA043F482CF0383609AE28AA8BDA09B0403D6C63FC698D4E401422CB05D57F9B357F385F9BFEEACC39C7E6033B',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'0100000002A6A60F682A38D6A20EFFC3873CE787B030619322F34C3DCA0EE9593693EA60454F6C0A552286D8963981BC81CCEECEBD71AD2537415229EB18AF3639A7935F0436A0F72FF9ADD143942838AAC1',1796000000000);
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
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'C9190EFAA4DD8D199D65EC9F3989D763');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'9D71852DBA39E50D24B016B0A5D31554');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'584E80EFFAB0AA6551EC818C7AD7BED0');
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
INSERT INTO "credential" VALUES(1,1,'psk',X'01000000018637DC144FDF401A0AB412FEE8B185A1FA8A5D45844CCA25E48FFB6590A33ED6FD5A235C39BDD6E878D56E51',10,-10,'operator','','current',NULL,X'664FC24D7B754F9204FCEEA0CCE7860E',X'F69088BBA0A4B5DF76C0662E5EBAD47C',X'28C7B24963882B2FAE7C90A7E05EF85F',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'01000000012CBBBA13E55DF51A299CB0290238892ACCA8207AE5D85BBB8D58FB98D3F252B1FC08C2C13F5AE03C1669E862',10,-10,'operator','','current',NULL,X'AE5E258429E3054F1896254857037F29',X'8538B6A498C0D44F19B38FA8E8F243E1',X'3A1463FEEF6BE55BAD1D15AE7377F76C',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'DA17FEBF1300441CFDADC3DC451B92E6',X'7F18421C7BFF0B277B9330FCA93A7E64',X'2B01C79CC487483D4AF194164B4DD13A',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'01088A0E0F9DB75584C914E98D9B711EB4A5412BC85D421CF610BA5272280F8600314A93A32876D9A7CB01CFD538BD773B0354D63D0CE6C6F690B23E20',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'01AB7ACBDB192061BB2DA41910E685F26120CFD91C6FBBEC97190DB445FB1B91B40EF2985E24C4899039FBB627B093373CD868601B0C9D18699FB3E713',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'019F17361DE90822A15FB9F670D2C838C8397A16E097F00261A3B305D3B5C35CA2CCADC38516A3A460388BEC1C3D2E6AFE9B96B29BBDA375504327D095',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'015006941A0DB41A09D1524C4A4AAFD0D0EF8D992D48AFF992B6F60C90CF67743E6891D53B71C7F853F340647E16251A09AA36BF0731F5978E91B3DE99',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'012F0AB830A31B6F4BCD6DCA84E9FC1C0B1D17FFC701FAEC2CC41452FDF022CD920FE7E22B964FCBE1804C7DB4C7B97F26FC42A24296A6A5EB1E35708C',1796000000000,NULL);
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
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"admission":"known","identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"jrc_address_from":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","prefix_from":null,"profile":"rfc9031","quiet_outside_windows":false,"short_ids":"0001-7fff","throttle_bytes_per_s":null}',X'30E258CC002D68512D58725B26A8EC3A6428429B16FE18DD9C07922951B71E84');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'F5F91D914D76722C399551B14103D60F1F07D95F90B38F9380CEE5FB6F36726E');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'1482747D9221229CA8DC759265C32715B2361AD2EF666AEF0770AD87061777DB');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'346BAE82DE5D93CAC738F0A2C41933BBE23B0F962E3915636776930C185BDA56');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{}',X'253B24ED5FB76AE7C860E1929FBD77BAA726B72B60FF94F9B768BBFC4CBD78BC');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{}',X'26C6492DC099247248BCBADA0B37F5F3FA3D380A9A68AD0602616792965760D1');
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
INSERT INTO "instance" VALUES(1,X'EBBFDD7C0BEC1477020504B3D189E8DE',1796000000000,6,7,X'26C6492DC099247248BCBADA0B37F5F3FA3D380A9A68AD0602616792965760D1',6,1796000000000,7,X'313406155EA2327E8EF12751554ABC8F');
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
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'3C71268931A38AB20198025455A1E34F');
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
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'2424157C1A243D2AC245F31365D16D2F');
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
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'570397CFEB2138B8C9E4FF06DDEEB7BC',X'0100000003882C7DE52CCC4A0C0AE86B3DECFC52714A1C3B06A96C80457B09C8E0A863C6440DB7046B958ED438BAFAB49F','generated');
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
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,NULL,NULL,NULL,1,32767,NULL,NULL,NULL,0,'rfc9031','known',1796000000000,NULL,1,X'BD35249692B5D43A048B8AE421A7B9A4');
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
INSERT INTO "network_settings" VALUES(1,0,NULL,NULL,X'80',1796000000000,1,X'79C8533EE02D2B75BE899F64E7E0339C');
INSERT INTO "network_settings" VALUES(1,1,NULL,NULL,X'814800124B0000000002',1796000000000,1,X'5C645F1FA7CA8E3D851F7AB0EA3A47D0');
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER, 
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
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'548541E3C3C58DE3AFA0DE0381B890F1');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'1F70F8A777138D04ED97081D60D6EE6B');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'35C33BDBD7B63C5F2D251DCFFAB1163D');
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
